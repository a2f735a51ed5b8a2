//! Proofs of who somebody is that are made elsewhere: tokens of providers (OpenID Connect) and answers of
//! authenticators (WebAuthn). Pure decisions over bytes; who asks the network is [`crate::ui`].

pub mod oidc;
pub mod signature;
pub mod webauthn;
