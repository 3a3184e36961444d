"""The demo: the closed loop of the suite on real purchase data, played through the gateway as any HTTP client would."""
