//! Log-ins with an OpenID provider, as the executable is told of it.

use std::time::{SystemTime, UNIX_EPOCH};

use onsale_testbed::openid::{OpenIdProvider, SigningKey};
use serde_json::json;

use crate::support::Place;

const ME: &str = "/api/v1/users/me";

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the executable's clock is the machine's")]
async fn an_organiser_of_the_provider_works_beside_one_of_our_own() {
    let key = SigningKey::rs256("key");
    let provider = OpenIdProvider::start(&[&key]).await;
    let variables = [
        ("ONSALE_IDENTITY_ISSUER", provider.issuer()),
        ("ONSALE_IDENTITY_AUDIENCE", "onsale"),
        ("ONSALE_IDENTITY_ROLE_CLAIM", "roles"),
    ];
    let place = Place::new();
    let server = place.serve_with(&["--demo"], &variables);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = |audience: &str, roles: &[&str]| {
        key.token(&json!({
            "iss": provider.issuer(), "sub": "olga", "aud": audience, "exp": now_s + 300, "iat": now_s,
            "name": "Olga", "roles": roles,
        }))
    };
    let organiser = token("onsale", &["organiser"]);
    let (status, me) = server.get(ME, Some(&organiser)).await;
    assert_eq!((status, &me["name"], &me["role"]), (200, &"Olga".into(), &"organiser".into()), "{me}");
    let venue = json!({"name": "Arena", "timeZone": "Asia/Seoul"});
    let (status, answer) = server.post("/api/v1/admin/venues", Some(&organiser), "1", venue.clone()).await;
    assert_eq!(status, 201, "{answer}");
    let (status, answer) = server.post("/api/v1/admin/venues", Some(&token("onsale", &[])), "2", venue).await;
    assert_eq!((status, &answer["type"]), (403, &"/problems/forbidden".into()));
    let (status, answer) = server.get(ME, Some(&token("another", &["organiser"]))).await;
    assert_eq!((status, &answer["type"]), (401, &"/problems/invalid-token".into()));
    let log_in = json!({"email": "buyer1@demo.example", "password": crate::support::PASSWORD});
    let (status, ours) = server.post("/api/v1/auth/login", None, "3", log_in).await;
    assert_eq!(status, 200, "{ours}");
    assert_eq!(server.get(ME, ours["accessToken"].as_str()).await.0, 200);
}

#[test]
fn settings_that_would_let_others_in_are_refused() {
    let place = Place::new();
    for (file, complaint) in [
        ("[identity]\nissuer = \"https://id.example.com\"", "identity.audience"),
        ("[identity]\naudience = \"onsale\"", "identity.issuer"),
        ("[identity]\naudience = \"onsale\"\nissuer = \"http://id.example.com\"", "https://"),
    ] {
        let file = place.file("identity.toml", file);
        let ended = place.run(&["--config", &file, "config"]);
        assert_ne!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains(complaint), "{ended:?}");
    }
}
