"""Images and a question to explanations: live, in batches, with engines that may fail."""
