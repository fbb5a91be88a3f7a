"""Where session logs are kept besides this machine's state folder, behind one port."""
