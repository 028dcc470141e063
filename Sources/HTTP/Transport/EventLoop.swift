/// Placeholder until the transport is built.
public actor EventLoop {}
