"""What an administrator writes: the models of ``AwsStsPolicy``, from which the CRD is generated."""
