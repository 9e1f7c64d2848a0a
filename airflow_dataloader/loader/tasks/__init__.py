"""What a cluster's task files call, one module a task."""
