# R's mice with its defaults (predictive mean matching, 5 sets, 5 rounds); the mean of the sets.
# Arguments: rows file (doubles by column, NaN missing), N, D, seed, file for the filled rows.
# Prints seconds, seconds of the processor, and the version.
suppressPackageStartupMessages(library(mice))
arguments <- commandArgs(trailingOnly = TRUE)
N <- as.integer(arguments[2]); D <- as.integer(arguments[3])
X <- as.data.frame(matrix(readBin(arguments[1], "double", n = N * D), nrow = N, ncol = D))
X[is.na(X)] <- NA
began <- proc.time()
made <- mice(X, seed = as.integer(arguments[4]), printFlag = FALSE)
sets <- lapply(seq_len(made$m), function(i) as.matrix(complete(made, i)))
filled <- Reduce(`+`, sets) / length(sets)
used <- proc.time() - began
# columns that mice left out as collinear keep their gaps: those get the means
for (j in seq_len(D)) filled[is.na(filled[, j]), j] <- mean(X[[j]], na.rm = TRUE)
writeBin(as.double(filled), arguments[5])
cat(used[["elapsed"]], used[["user.self"]] + used[["sys.self"]], format(packageVersion("mice")), "\n")
