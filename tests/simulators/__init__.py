"""The simulators are peers: what they promise is tested as any other API would be."""
