"""Model bundles: folders with a model, its tokenizer, its licence and its hashes. Importing this loads no ML library."""
