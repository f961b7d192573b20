"""What the verbs about rows share: which rows are meant, files of rows, changing them, watching them."""
