# R's mclust, model VVV (V in one dimension), one fit. Arguments: rows file (doubles by column), N, D, K, prior (0 or 1),
# model file. Exit status 3 where mclust returns no model.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
N <- as.integer(arguments[2]); D <- as.integer(arguments[3]); K <- as.integer(arguments[4])
X <- matrix(readBin(arguments[1], "double", n = N * D), nrow = N, ncol = D)
prior <- if (arguments[5] == "1") priorControl() else NULL
set.seed(0)
kind <- if (D == 1) "V" else "VVV"
began <- proc.time()[["elapsed"]]
model <- try(Mclust(X, G = K, modelNames = kind, prior = prior, verbose = FALSE), silent = TRUE)
if (is.null(model) || inherits(model, "try-error") || is.null(model$parameters)) quit(status = 3)
out <- file(arguments[6], "wb")
writeBin(as.double(model$parameters$pro), out)
writeBin(as.double(t(model$parameters$mean)), out)
spread <- model$parameters$variance
writeBin(as.double(if (D == 1) spread$sigmasq else spread$sigma), out)
close(out)
