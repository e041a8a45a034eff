# A data set of R's mclust. Arguments: its name, file for the rows (doubles by column), file for the
# labels (integers, from 1; empty where the set has none). Prints rows and columns.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
name <- arguments[1]
packed <- c(GvHD.pos = "GvHD", GvHD.control = "GvHD")
packed[c("ex4.1", "ex4.2", "ex4.3", "ex4.4.1", "ex4.4.2", "Test1D")] <- "Baudry_etal_2010_JCGS_examples"
place <- new.env()
source <- if (name %in% names(packed)) packed[[name]] else name
data(list = source, package = "mclust", envir = place)
found <- get(name, place)
classes <- c(banknote = "Status", chevron = "class", cross = "group", diabetes = "class",
             thyroid = "Diagnosis", wdbc = "Diagnosis")
labels <- integer(0)
if (name %in% names(classes)) {
  labels <- as.integer(factor(found[[classes[[name]]]]))
  found <- found[, !(names(found) %in% c(classes[[name]], "ID"))]
}
X <- as.matrix(found)
invisible(writeBin(as.double(X), arguments[2]))
invisible(writeBin(labels, arguments[3]))  # prints NULL where it is empty
cat(nrow(X), ncol(X), "\n")
