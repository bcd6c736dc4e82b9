"""The cases of the packet suite, each as it was thought of: frames, policy, what the law says, and the source."""
