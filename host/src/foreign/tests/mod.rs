//! Tokens as another service would sign them, and as nobody should take them.

mod discovery;
mod support;
mod tokens;
