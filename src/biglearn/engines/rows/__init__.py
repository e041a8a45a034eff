"""What is asked of rows, wherever they live."""
