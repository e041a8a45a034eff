# R's mclust chooses K by BIC. Arguments: rows file (doubles by column), N, D, the largest K, models
# ("all" or "VVV"), labels file to write (integers, from 1). Prints K, the model, seconds and version.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
N <- as.integer(arguments[2]); D <- as.integer(arguments[3])
X <- matrix(readBin(arguments[1], "double", n = N * D), nrow = N, ncol = D)
kinds <- if (arguments[5] == "all") NULL else if (D == 1) "V" else arguments[5]
set.seed(0)
began <- proc.time()
model <- Mclust(X, G = seq_len(as.integer(arguments[4])), modelNames = kinds, verbose = FALSE)
used <- proc.time() - began
invisible(writeBin(as.integer(model$classification), arguments[6]))
cat(model$G, model$modelName, used[["user.self"]] + used[["sys.self"]],
    format(packageVersion("mclust")), "\n")
