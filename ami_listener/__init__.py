"""Learn from how calls end. Empty until the AMI listener lands; named here so that the import contracts hold from the first commit."""
