"""From a recording to a frozen dataset: segments, reviewed transcripts, dataset versions."""
