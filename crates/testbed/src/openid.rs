//! An OpenID provider of one's own: it says where its keys are, shows them, and signs.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use axum::{Json, Router, extract::State, routing::get};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{process::Port, programs};

/// A running provider.
pub struct OpenIdProvider {
    port: Port,
    shown: Arc<Shown>,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

struct Shown {
    issuer: String,
    keys: Mutex<Vec<Value>>,
    reads: AtomicU32,
}

impl OpenIdProvider {
    /// Starts a provider that shows these keys.
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let port = Port::reserve();
        let issuer = format!("http://{}", port.address());
        let shown = Shown { issuer, keys: Mutex::default(), reads: AtomicU32::new(0) };
        let mut provider = Self { port, shown: Arc::new(shown), serving: None };
        provider.show(keys);
        provider.restart().await;
        provider
    }

    /// Its address, which is what its tokens name in `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shown.issuer
    }

    /// Shows these keys from now on, and no others.
    ///
    /// # Panics
    /// If another test has panicked while it did so.
    pub fn show(&self, keys: &[&SigningKey]) {
        *self.shown.keys.lock().expect("nobody panics") = keys.iter().map(|key| key.jwk()).collect();
    }

    /// How often its keys have been read.
    #[must_use]
    pub fn reads(&self) -> u32 {
        self.shown.reads.load(SeqCst)
    }

    /// Stops it: connections are refused.
    ///
    /// # Panics
    /// If it does not run.
    pub async fn stop(&mut self) {
        let (stop, serving) = self.serving.take().expect("it runs");
        let _ = stop.send(());
        serving.await.expect("it ends in order");
    }

    /// Starts it again, on the same address.
    ///
    /// # Panics
    /// If its address is taken.
    pub async fn restart(&mut self) {
        let address: SocketAddr = self.port.address();
        let pages = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .with_state(self.shown.clone());
        let listener = TcpListener::bind(address).await.expect("the port is ours");
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, pages).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        let serving = tokio::spawn(async move { serving.await.expect("it serves") });
        self.serving = Some((stop, serving));
    }
}

async fn configuration(State(shown): State<Arc<Shown>>) -> Json<Value> {
    let issuer = &shown.issuer;
    Json(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}))
}

async fn keys(State(shown): State<Arc<Shown>>) -> Json<Value> {
    shown.reads.fetch_add(1, SeqCst);
    Json(json!({"keys": *shown.keys.lock().expect("nobody panics")}))
}

/// A key that signs tokens.
pub struct SigningKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// A new key for ES256.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn es256(id: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("there is randomness");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("it was made so");
        Self { id: id.to_owned(), pair: Pair::Es256(pair) }
    }

    /// A new key for RS256.
    ///
    /// # Panics
    /// When `openssl` is not installed or fails.
    #[must_use]
    pub fn rs256(id: &str) -> Self {
        let made = programs::run(Command::new(programs::find("openssl", &[], "openssl")).args([
            "genpkey",
            "-quiet",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
        ]));
        // Versions differ in what they write as DER, not in PEM.
        let pem = made.unwrap_or_else(|error| panic!("no key can be made: {error}"));
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pkcs8 = STANDARD.decode(text).expect("PEM is base64");
        let pair = RsaKeyPair::from_pkcs8(&pkcs8).expect("it was made so");
        Self { id: id.to_owned(), pair: Pair::Rs256(pair) }
    }

    /// The same key under another name.
    #[must_use]
    pub fn named(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// The public key, as providers show it.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (id, algorithm) = (&self.id, self.algorithm());
        let public = self.public();
        match &self.pair {
            Pair::Es256(_) => {
                let (x, y) = (text(&public[1..33]), text(&public[33..]));
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": algorithm, "kid": id, "x": x, "y": y})
            }
            Pair::Rs256(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                let (n, e) = (text(&n), text(&e));
                json!({"kty": "RSA", "use": "sig", "alg": algorithm, "kid": id, "n": n, "e": e})
            }
        }
    }

    /// The public key as bytes: what somebody may try to use as a secret.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Es256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rs256(pair) => pair.public().as_ref().to_vec(),
        }
    }

    /// By which algorithm it signs.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// Signs.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, message).expect("there is randomness").as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                signed.expect("the signature fits");
                signature
            }
        }
    }

    /// A token as the provider makes it.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": self.algorithm(), "kid": self.id});
        token(&header, claims, |message| self.sign(message))
    }
}

/// A token with whatever header, claims and signature.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", text(header), text(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// HMAC with SHA-256.
#[must_use]
pub fn hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}
