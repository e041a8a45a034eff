# R's mclust as judge of a mixture: its own log-likelihood, BIC and adjusted Rand index.
# Arguments: rows file (doubles by column), N, D, K, model file (weights; means, K x D by column;
# covariances), labels file. Prints log-likelihood, BIC, ARI (NA without labels), the version.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
N <- as.integer(arguments[2]); D <- as.integer(arguments[3]); K <- as.integer(arguments[4])
X <- matrix(readBin(arguments[1], "double", n = N * D), nrow = N, ncol = D)
values <- readBin(arguments[5], "double", n = K * (1 + D + D * D))
labels <- readBin(arguments[6], "integer", n = N)
pro <- values[seq_len(K)]
centres <- t(matrix(values[K + seq_len(K * D)], nrow = K, ncol = D))
sigma <- array(values[K + K * D + seq_len(K * D * D)], c(D, D, K))
if (D == 1) {
  kind <- "V"; X <- drop(X)
  spread <- list(modelName = kind, d = 1, G = K, sigmasq = as.vector(sigma), scale = as.vector(sigma))
  parameters <- list(pro = pro, mean = as.vector(centres), variance = spread)
} else {
  kind <- "VVV"
  factors <- array(apply(sigma, 3, chol), c(D, D, K))
  spread <- list(modelName = kind, d = D, G = K, sigma = sigma, cholsigma = factors)
  parameters <- list(pro = pro, mean = centres, variance = spread)
}
step <- estep(X, modelName = kind, parameters = parameters)
# the densities again, by its other function: the judge must agree with itself
again <- sum(dens(X, modelName = kind, parameters = parameters, logarithm = TRUE))
stopifnot(isTRUE(all.equal(step$loglik, again, tolerance = 1e-8)))
ari <- if (length(labels)) adjustedRandIndex(map(step$z, warn = FALSE), labels) else NA
cat(format(step$loglik, digits = 12), format(bic(kind, step$loglik, N, D, K), digits = 12), ari,
    format(packageVersion("mclust")), "\n")
