"""The modem link: dialer, frames, TLS session, and the one door to serial ports."""
