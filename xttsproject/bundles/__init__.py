"""Model bundles: a folder with weights, config, tokenizer and a manifest that says what they are."""
