"""How the emulator is reached: on a port of this machine, or as a transport in process."""
