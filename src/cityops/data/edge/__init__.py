"""Where data comes in; an acknowledgement means it is durable."""
