# R's mclust, MclustDA as its users call it: a mixture per class, its model and size by BIC.
# Arguments: folder with rows, labels and new (doubles by column), N, D, number of new rows.
# Writes posteriors, (new rows, classes) by column.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
N <- as.integer(arguments[2]); D <- as.integer(arguments[3]); M <- as.integer(arguments[4])
X <- matrix(readBin(file.path(folder, "rows"), "double", n = N * D), nrow = N, ncol = D)
y <- readBin(file.path(folder, "labels"), "double", n = N)
new <- matrix(readBin(file.path(folder, "new"), "double", n = M * D), nrow = M, ncol = D)
set.seed(0)
model <- try(MclustDA(X, factor(y), verbose = FALSE), silent = TRUE)
if (inherits(model, "try-error") || is.null(model)) quit(status = 3)
writeBin(as.double(predict(model, newdata = new)$z), file.path(folder, "posteriors"))
