"""What tests of several folders share: answers to play, servers, ways of calling, processes."""
