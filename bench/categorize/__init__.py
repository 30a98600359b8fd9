"""Categories beside a bag of words: accuracy, confidence, speed."""
