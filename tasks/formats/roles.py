"""Rows of models that mean something to those who read them; what the others are called is the flow's business."""

BASELINE = "tfidf"  # what one would pick instead
YARDSTICK = "yardstick"  # a PyTorch BERT-base of random weights, measured and never evaluated
REFERENCE = "teacher"  # what a candidate is judged against
CANDIDATE = "released"  # what the gate judges, and a release is made of

# What flows of language models call theirs: the base model with a head, what has read the domain's text, and what lies between.
PLAIN, ADAPTED, AVERAGED = "plain", "adapted", "averaged"
