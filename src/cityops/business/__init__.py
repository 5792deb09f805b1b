"""业务中台: from signal to finished work."""
