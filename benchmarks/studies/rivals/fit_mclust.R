# R's mclust, model VVV: hierarchical start, then EM; again from random subsets until killed.
# Arguments: rows file (doubles by column), N, D, K, seed, model file. One line of standard input
# lets the next fit begin, so that the caller's clock decides.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
N <- as.integer(arguments[2]); D <- as.integer(arguments[3]); K <- as.integer(arguments[4])
seed <- as.integer(arguments[5])
X <- matrix(readBin(arguments[1], "double", n = N * D), nrow = N, ncol = D)
input <- file("stdin", "r")
cat("ready", as.character(packageVersion("mclust")), R.version.string, "\n")
run <- 0
repeat {
  if (length(readLines(input, n = 1)) == 0) quit(status = 0)
  set.seed(1000 * seed + run)
  # the package's own rule: all rows up to 2000, a random 2000 above; later runs vary the rows
  size <- if (run == 0) min(N, 2000) else min(max(10 * K, ceiling(0.7 * N)), 2000, N)
  start <- if (size < N) list(subset = sample(N, size)) else NULL
  model <- try(Mclust(X, G = K, modelNames = "VVV", initialization = start, verbose = FALSE),
               silent = TRUE)
  if (is.null(model) || inherits(model, "try-error") || is.null(model$parameters)) {
    # its documentation's remedy for singular covariances
    model <- try(Mclust(X, G = K, modelNames = "VVV", initialization = start,
                        prior = priorControl(), verbose = FALSE), silent = TRUE)
  }
  if (is.null(model) || inherits(model, "try-error") || is.null(model$parameters)) {
    cat("failed\n")
  } else {
    out <- file(arguments[6], "wb")
    writeBin(as.double(model$parameters$pro), out)
    writeBin(as.double(t(model$parameters$mean)), out)
    writeBin(as.double(model$parameters$variance$sigma), out)
    close(out)
    cat("fitted\n")
  }
  flush(stdout())
  run <- run + 1
}
