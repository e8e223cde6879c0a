"""Model bundles: folders with a model, its tokenizer, its licence, its hashes. Importing it loads no ML library."""
