"""The built-in learners, one file a framework, and the door for a person's own estimator."""
