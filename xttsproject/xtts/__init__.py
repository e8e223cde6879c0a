"""The XTTS networks: what training, speech and speaker checks share. Importing this package loads no ML library."""
