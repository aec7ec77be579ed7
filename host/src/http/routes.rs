//! Routes, each written once: what is routed and what is compared with the API's description come
//! from the same table.

/// Makes `router()` and `ROUTES` (method, path) of a table.
macro_rules! routes {
    ($($path:literal: $($method:ident $handler:path),+;)*) => {
        fn router() -> axum::Router<$crate::http::door::Door> {
            axum::Router::new()$(
                .route($path, axum::routing::MethodRouter::new()$(.$method($handler))+)
            )*
        }

        /// What is routed: method and path.
        #[cfg(test)]
        pub(in crate::http) const ROUTES: &[(&str, &str)] =
            &[$($((stringify!($method), $path)),+),*];
    };
}

pub(super) use routes;
