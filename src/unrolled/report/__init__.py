"""Reports: one self-contained HTML page for each question, in English and Chinese."""
