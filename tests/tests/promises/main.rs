//! What Claviger promises, each promise in a file of its own: tests that try to break it. The
//! numbers in the comments are those of the architecture's invariants and of the attacks.

mod releases;
