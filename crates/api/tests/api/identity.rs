//! Log-ins with an OpenID provider, beside our own: a real provider that shows keys and signs, and tokens
//! that somebody forged.

use onsale_domain::user::Role;
use onsale_engine::{
    accounts::{IdentitySettings, TokenCheck},
    owners::OwnerCheck,
};
use onsale_identity::OpenIdProvider as Keys;
use onsale_testbed::openid::{OpenIdProvider, SigningKey, hs256, token};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, START, Server, Walk};

const AUDIENCE: &str = "onsale";
const ME: &str = "/api/v1/users/me";
const NOW_S: i64 = START.0 / 1_000;

async fn trusting(
    provider: &OpenIdProvider,
    change: impl FnOnce(IdentitySettings) -> IdentitySettings,
) -> Walk {
    let settings = change(IdentitySettings {
        issuer: provider.issuer().to_owned(),
        audience: AUDIENCE.to_owned(),
        role_claim: Some("access.roles".to_owned()),
        unchecked: Vec::new(),
    });
    let keys = Keys::new(provider.issuer(), None).unwrap();
    let complete =
        |engine: onsale_engine::Engine| engine.with_identity_provider(std::sync::Arc::new(keys), settings);
    Box::pin(Server::start_with_engine(OwnerCheck::On, |settings, _| settings, complete)).await.walk().await
}

/// Trusts the provider and leaves no check out.
async fn strict(provider: &OpenIdProvider) -> Walk {
    trusting(provider, |settings| settings).await
}

/// What a good token says.
fn claims(provider: &OpenIdProvider, subject: &str) -> Value {
    json!({
        "iss": provider.issuer(), "sub": subject, "aud": AUDIENCE, "iat": NOW_S, "nbf": NOW_S,
        "exp": NOW_S + 300, "name": "Ann",
    })
}

/// Claims with some more, or others.
fn with(mut claims: Value, more: Value) -> Value {
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn without(mut claims: Value, claim: &str) -> Value {
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

#[track_caller]
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.json);
    assert_eq!(answer.json["type"], "/problems/invalid-token", "{what}");
}

#[tokio::test]
async fn a_buyer_and_an_organiser_of_the_provider_work_beside_our_own() {
    let (rsa, ec) = (SigningKey::rs256("rsa"), SigningKey::es256("ec"));
    let provider = OpenIdProvider::start(&[&rsa, &ec]).await;
    let mut walk = strict(&provider).await;
    walk.set_up().await;

    // The first token makes an account, every later one finds it.
    let claims_of_ann = claims(&provider, "ann");
    let ann = rsa.token(&claims_of_ann);
    let me = walk.get_as(&ann, ME).await;
    assert_eq!(me.status, StatusCode::OK, "{}", me.json);
    assert_eq!(
        (&me.json["name"], &me.json["role"], &me.json["email"]),
        (&"Ann".into(), &"user".into(), &"".into())
    );
    let again = walk.get_as(&ec.token(&claims_of_ann), ME).await;
    assert_eq!(again.json, me.json, "whichever key signs");
    let several = with(claims_of_ann, json!({"aud": ["other", AUDIENCE]}));
    assert_eq!(walk.get_as(&ec.token(&several), ME).await.json, me.json);
    let bob = walk.get_as(&ec.token(&claims(&provider, "bob")), ME).await;
    assert_ne!(bob.json["id"], me.json["id"]);

    // Buying.
    walk.post(&ann, "/api/v1/users/me/points/charge", json!({"amount": 14_000})).await;
    let held = walk.post(&ann, "/api/v1/reservations", json!({"performanceId": 1, "seatIds": [1]})).await;
    assert_eq!(held.status, StatusCode::CREATED, "{}", held.json);
    let paid =
        walk.post(&ann, "/api/v1/payments", json!({"reservationId": held.json["reservationId"]})).await;
    assert!(paid.status.is_success(), "{}", paid.json);
    let reservation = format!("/api/v1/reservations/{}", held.json["reservationId"].as_str().unwrap());
    let other = walk.get_as(&ec.token(&claims(&provider, "bob")), &reservation).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND, "somebody else's");

    // Organising: by a claim of the token, and only by it.
    let venue = json!({"name": "Arena", "timeZone": "Asia/Seoul"});
    let refused = walk.post(&ann, "/api/v1/admin/venues", venue.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let roles = |roles: Value| with(claims(&provider, "olga"), json!({"access": {"roles": roles}}));
    let olga = ec.token(&roles(json!(["viewer", "organiser"])));
    assert_eq!(walk.post(&olga, "/api/v1/admin/venues", venue.clone()).await.status, StatusCode::CREATED);
    assert_eq!(walk.get_as(&olga, ME).await.json["role"], "organiser");
    assert_eq!(walk.get_as(&olga, "/api/v1/admin/blocks").await.status, StatusCode::FORBIDDEN);
    for demoted in [json!(["user"]), json!(["root"]), json!([]), json!({"organiser": true}), json!(1)] {
        let token = ec.token(&roles(demoted.clone()));
        let refused = walk.post(&token, "/api/v1/admin/venues", venue.clone()).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{demoted}");
        assert_eq!(walk.get_as(&token, ME).await.json["role"], "user", "{demoted}");
    }

    // Our own log-ins.
    let (organiser, buyer) = (walk.organiser.clone(), walk.buyer.clone());
    assert_eq!(walk.post(&organiser, "/api/v1/admin/venues", venue).await.status, StatusCode::CREATED);
    assert_eq!(walk.get_as(&buyer, ME).await.json["name"], "buyer");
}

/// Without a claim that says it, an account keeps the role that it has here.
#[tokio::test]
async fn roles_are_not_the_providers_unless_we_say_so() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let mut walk = trusting(&provider, |settings| IdentitySettings { role_claim: None, ..settings }).await;
    let roles = json!({"access": {"roles": ["admin"]}, "role": "admin", "roles": ["admin"]});
    let token = key.token(&with(claims(&provider, "ann"), roles));
    assert_eq!(walk.get_as(&token, ME).await.json["role"], "user");
    assert_eq!(walk.get_as(&token, "/api/v1/admin/blocks").await.status, StatusCode::FORBIDDEN);
}

/// What somebody might send, and which checks stand in the way of it.
fn forgeries(provider: &OpenIdProvider, rsa: &SigningKey, ec: &SigningKey) -> Vec<Forgery> {
    use TokenCheck::{Algorithm, Audience, Expiry, Header, Issuer, NotBefore, Signature};
    let good = claims(provider, "ann");
    let header = |algorithm: &str, key: &str| json!({"typ": "JWT", "alg": algorithm, "kid": key});
    let (ours, other_ec, other_rsa) =
        (|message: &[u8]| ec.sign(message), SigningKey::es256("ec"), SigningKey::rs256("rsa"));
    let forgery = |what, token, checks: &[TokenCheck]| Forgery { what, token, checks: checks.to_vec() };
    let changed = |what, more: Value, check| forgery(what, ec.token(&with(good.clone(), more)), &[check]);
    let of_type = |typ: &str| json!({"typ": typ, "alg": "ES256", "kid": "ec"});
    let mut elsewhere = header("ES256", "ec");
    elsewhere["jwk"] = other_ec.jwk();
    elsewhere["jku"] = "https://evil.example/keys".into();
    let critical = json!({"typ": "JWT", "alg": "ES256", "kid": "ec", "crit": ["exp"]});
    let richer = with(good.clone(), json!({"access": {"roles": ["admin"]}}));
    let unsigned = token(&header("ES256", "ec"), &richer, |_| vec![]);
    let promoted = format!("{unsigned}{}", ec.token(&good).rsplit_once('.').unwrap().1);
    vec![
        forgery(
            "no algorithm, no signature",
            token(&header("none", "ec"), &good, |_| vec![]),
            &[Algorithm, Signature],
        ),
        forgery("`None`", token(&header("None", "ec"), &good, |_| vec![]), &[Algorithm, Signature]),
        forgery(
            "HS256 with the public RSA key as the secret",
            token(&header("HS256", "rsa"), &good, |message| hs256(&rsa.public(), message)),
            &[Algorithm, Signature],
        ),
        forgery(
            "HS256 with the public EC key as the secret",
            token(&header("HS256", "ec"), &good, |message| hs256(&ec.public(), message)),
            &[Algorithm, Signature],
        ),
        forgery("another algorithm's name", token(&header("ES384", "ec"), &good, ours), &[Algorithm]),
        forgery("an unknown algorithm", token(&header("XS256", "ec"), &good, ours), &[Algorithm]),
        forgery("its name in small letters", token(&header("es256", "ec"), &good, ours), &[Algorithm]),
        forgery(
            "RS256 for a key that is for ES256",
            token(&header("RS256", "ec"), &good, ours),
            &[Algorithm],
        ),
        forgery(
            "another kind of key under this one's name",
            token(&header("RS256", "ec"), &good, |message| rsa.sign(message)),
            &[Algorithm, Signature],
        ),
        forgery("another EC key", other_ec.token(&good), &[Signature]),
        forgery("another RSA key", other_rsa.token(&good), &[Signature]),
        forgery(
            "another key that comes with the token",
            token(&elsewhere, &good, |message| other_ec.sign(message)),
            &[Signature],
        ),
        forgery(
            "a signature of nothing",
            token(&header("ES256", "ec"), &good, |_| vec![0; 64]),
            &[Signature],
        ),
        forgery("no signature", token(&header("ES256", "ec"), &good, |_| vec![]), &[Signature]),
        forgery("another token's signature", promoted, &[Signature]),
        forgery("an extension that must be understood", token(&critical, &good, ours), &[Header]),
        forgery("a token that ends sessions", token(&of_type("logout+jwt"), &good, ours), &[Header]),
        changed("another issuer", json!({"iss": "https://evil.example"}), Issuer),
        changed("nearly the issuer", json!({"iss": format!("{}/", provider.issuer())}), Issuer),
        changed("another audience", json!({"aud": "other"}), Audience),
        changed("other audiences", json!({"aud": ["other", "onsale2"]}), Audience),
        changed("no audience", json!({"aud": []}), Audience),
        changed("run out", json!({"exp": NOW_S - 61}), Expiry),
        changed("not good yet", json!({"nbf": NOW_S + 61}), NotBefore),
    ]
}

struct Forgery {
    what: &'static str,
    token: String,
    checks: Vec<TokenCheck>,
}

#[tokio::test]
async fn forged_tokens_are_refused_and_pass_where_the_check_is_off() {
    let (rsa, ec) = (SigningKey::rs256("rsa"), SigningKey::es256("ec"));
    let provider = OpenIdProvider::start(&[&rsa, &ec]).await;
    let mut walk = strict(&provider).await;
    for Forgery { what, token, checks } in forgeries(&provider, &rsa, &ec) {
        assert_refused(&walk.get_as(&token, ME).await, what);
        // A negative control for each check by itself: without all of them it passes, so nothing else is
        // wrong with it, and with any one of them it does not.
        let without = async |unchecked: Vec<TokenCheck>| {
            let mut lax = trusting(&provider, |settings| IdentitySettings { unchecked, ..settings }).await;
            lax.get_as(&token, ME).await
        };
        let passed = without(checks.clone()).await;
        assert_eq!(passed.status, StatusCode::OK, "{what}, without {checks:?}: {}", passed.json);
        for check in checks.iter().filter(|_| checks.len() > 1) {
            let others = checks.iter().copied().filter(|other| other != check).collect();
            assert_refused(&without(others).await, &format!("{what}, with {check:?} alone"));
        }
    }
    assert_eq!(walk.get_as(&ec.token(&claims(&provider, "ann")), ME).await.status, StatusCode::OK);
}

#[tokio::test]
async fn tokens_that_lack_something_are_refused() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let mut walk = strict(&provider).await;
    let good = claims(&provider, "ann");
    for claim in ["iss", "sub", "aud", "exp"] {
        assert_refused(&walk.get_as(&key.token(&without(good.clone(), claim)), ME).await, claim);
    }
    for (claim, value) in [
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a".repeat(256))),
        ("aud", json!(null)),
        ("exp", json!("tomorrow")),
        ("nbf", json!("today")),
    ] {
        let token = key.token(&with(good.clone(), json!({claim: value})));
        assert_refused(&walk.get_as(&token, ME).await, &format!("{claim} {value}"));
    }
    let unsigned = |header: Value| token(&header, &good, |message| key.sign(message));
    assert_refused(&walk.get_as(&unsigned(json!({"kid": "ec"})), ME).await, "no algorithm");
    assert_refused(&walk.get_as(&unsigned(json!(["ES256"])), ME).await, "no header");
    let whole = key.token(&good);
    for text in [
        "a.b.c".to_owned(),
        "...".to_owned(),
        whole.replacen('.', "", 1),
        format!("{whole}.x"),
        format!("{whole}="),
        whole.trim_end_matches(|c| c != '.').to_owned(),
        format!("{}.{whole}", "A".repeat(20_000)),
    ] {
        assert_refused(&walk.get_as(&text, ME).await, &text[..text.len().min(50)]);
    }
    for good in [
        with(good.clone(), json!({"nbf": NOW_S + 59, "exp": NOW_S - 59})),
        without(without(good.clone(), "nbf"), "iat"),
        with(good.clone(), json!({"exp": NOW_S as f64 + 0.5})),
    ] {
        assert_eq!(walk.get_as(&key.token(&good), ME).await.status, StatusCode::OK, "{good}");
    }
    // One key alone need not be named.
    let nameless = unsigned(json!({"alg": "ES256"}));
    assert_eq!(walk.get_as(&nameless, ME).await.status, StatusCode::OK);
    // The time passes.
    walk.server.clock.advance_ms(359_000);
    assert_eq!(walk.get_as(&whole, ME).await.status, StatusCode::OK, "a minute's leeway");
    walk.server.clock.advance_ms(1_000);
    assert_refused(&walk.get_as(&whole, ME).await, "run out");
}

#[tokio::test]
async fn a_token_with_any_bit_flipped_is_refused() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let (rsa, ec) = (SigningKey::rs256("rsa"), SigningKey::es256("ec"));
    let provider = OpenIdProvider::start(&[&rsa, &ec]).await;
    let walk = strict(&provider).await;
    let accounts = &walk.server.engine.accounts;
    for key in [&rsa, &ec] {
        let token = key.token(&claims(&provider, "ann"));
        let good = accounts.caller(&token).await.unwrap();
        assert_eq!(good.role, Role::User);
        let parts: Vec<_> = token.split('.').map(|part| BASE64.decode(part).unwrap()).collect();
        for (number, part) in parts.iter().enumerate() {
            for bit in 0..part.len() * 8 {
                let mut parts = parts.clone();
                parts[number][bit / 8] ^= 1 << (bit % 8);
                let flipped = parts.iter().map(|part| BASE64.encode(part)).collect::<Vec<_>>().join(".");
                let refused = accounts.caller(&flipped).await;
                assert!(refused.is_err(), "{}: part {number}, bit {bit}", key.algorithm());
            }
        }
        // And of the text itself.
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let flipped = String::from_utf8(bytes).unwrap();
                assert!(accounts.caller(&flipped).await.is_err(), "{}: {at}, bit {bit}", key.algorithm());
            }
        }
    }
    assert_eq!(provider.reads(), 1, "keys that there are not were looked for once");
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_a_withdrawn_one_is_refused_soon() {
    let (old, new) = (SigningKey::es256("2025"), SigningKey::es256("2026"));
    let provider = OpenIdProvider::start(&[&old]).await;
    let mut walk = strict(&provider).await;
    let good = with(claims(&provider, "ann"), json!({"exp": NOW_S + 86_400}));
    assert_eq!(walk.get_as(&old.token(&good), ME).await.status, StatusCode::OK);
    assert_eq!(provider.reads(), 1);

    // Both are shown for a while.
    provider.show(&[&old, &new]);
    assert_refused(&walk.get_as(&new.token(&good), ME).await, "read a moment ago");
    walk.server.clock.advance_ms(10_000);
    assert_eq!(walk.get_as(&new.token(&good), ME).await.status, StatusCode::OK);
    assert_eq!(walk.get_as(&old.token(&good), ME).await.status, StatusCode::OK);
    assert_eq!(provider.reads(), 2);

    // Whoever names keys that there are not does not make us read again and again.
    for number in 0..100 {
        let made_up = SigningKey::es256(&format!("made-up-{number}"));
        assert_refused(&walk.get_as(&made_up.token(&good), ME).await, "made up");
    }
    assert_eq!(provider.reads(), 2);
    walk.server.clock.advance_ms(10_000);
    for number in 0..100 {
        let made_up = SigningKey::es256(&format!("made-up-{number}"));
        assert_refused(&walk.get_as(&made_up.token(&good), ME).await, "made up");
    }
    assert_eq!(provider.reads(), 3);
    // And other tokens lead to no reading at all.
    walk.server.clock.advance_ms(10_000);
    let made_up = SigningKey::es256("made-up");
    assert_refused(&walk.get_as(&made_up.token(&with(good.clone(), json!({"iss": "x"}))), ME).await, "x");
    assert_refused(&walk.get_as("x.y.z", ME).await, "no token");
    assert_eq!(provider.reads(), 3);

    provider.show(&[&new]);
    assert_eq!(walk.get_as(&old.token(&good), ME).await.status, StatusCode::OK, "not known yet");
    walk.server.clock.advance_ms(300_000);
    for _ in 0..1_000 {
        if walk.get_as(&old.token(&good), ME).await.status == StatusCode::UNAUTHORIZED {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_refused(&walk.get_as(&old.token(&good), ME).await, "withdrawn");
    assert_eq!(walk.get_as(&new.token(&good), ME).await.status, StatusCode::OK);
    let forged = SigningKey::es256("2025").token(&good);
    assert_refused(&walk.get_as(&forged, ME).await, "the old name, another key");
}

#[tokio::test]
async fn while_the_provider_is_away_known_keys_go_on_and_our_own_log_ins_do_not_notice() {
    let (known, new) = (SigningKey::es256("known"), SigningKey::es256("new"));
    let mut provider = OpenIdProvider::start(&[&known]).await;
    let mut walk = strict(&provider).await;
    let ann = claims(&provider, "ann");
    assert_eq!(walk.get_as(&known.token(&ann), ME).await.status, StatusCode::OK);
    provider.stop().await;
    walk.server.clock.advance_ms(10_000);

    let away = walk.get_as(&new.token(&ann), ME).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE, "{}", away.json);
    assert_eq!(away.json["type"], "/problems/unavailable");
    assert!(away.json["detail"].as_str().unwrap().contains("identity provider"), "{}", away.json);
    assert_eq!(away.headers["retry-after"], "10");
    assert_eq!(walk.get_as(&known.token(&ann), ME).await.status, StatusCode::OK);
    let bob = walk.get_as(&known.token(&claims(&provider, "bob")), ME).await;
    assert_eq!(bob.status, StatusCode::OK, "also somebody new");
    let forged = SigningKey::es256("known").token(&ann);
    assert_refused(&walk.get_as(&forged, ME).await, "forged");
    assert_refused(&walk.get_as(&new.token(&with(ann.clone(), json!({"aud": "x"}))), ME).await, "not for us");
    let log_in = json!({"email": "buyer@example.com", "password": "correct horse"});
    let ours = walk.call(Method::POST, "/api/v1/auth/login", None, Some(log_in)).await;
    assert_eq!(ours.status, StatusCode::OK, "{}", ours.json);

    // A node that starts meanwhile.
    let mut late = strict(&provider).await;
    let buyer = late.buyer.clone();
    assert_eq!(late.get_as(&buyer, ME).await.status, StatusCode::OK);
    assert_eq!(late.get_as(&known.token(&ann), ME).await.status, StatusCode::SERVICE_UNAVAILABLE);

    provider.show(&[&known, &new]);
    provider.restart().await;
    for walk in [&mut walk, &mut late] {
        walk.server.clock.advance_ms(10_000);
        assert_eq!(walk.get_as(&new.token(&ann), ME).await.status, StatusCode::OK);
        assert_eq!(walk.get_as(&known.token(&ann), ME).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_account_with_the_same_address_is_not_taken_over() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let mut walk = strict(&provider).await;
    let ours = walk.buyer.clone();
    let ours = walk.get_as(&ours, ME).await.json;
    assert_eq!(ours["email"], "buyer@example.com");

    let of = |subject: &str, email: &str, verified: Value| {
        let email = json!({"email": email, "email_verified": verified});
        key.token(&with(claims(&provider, subject), email))
    };
    let same = walk.get_as(&of("ann", "Buyer@Example.com", json!(true)), ME).await.json;
    assert_ne!(same["id"], ours["id"], "not the account that was there");
    assert_eq!(same["email"], "", "and the address stays that one's");
    for (number, verified) in [json!(false), json!("true"), json!(null)].into_iter().enumerate() {
        let unverified = walk.get_as(&of(&format!("bob-{number}"), "bob@example.com", verified), ME).await;
        assert_eq!(unverified.json["email"], "", "said by nobody but the person");
    }
    let carol = of("carol", "Carol@Example.com", json!(true));
    assert_eq!(walk.get_as(&carol, ME).await.json["email"], "carol@example.com");
    let odd = walk.get_as(&of("dave", "no address", json!(true)), ME).await;
    assert_eq!((odd.status, &odd.json["email"]), (StatusCode::OK, &"".into()));

    // Nor the other way round: an account without a password is not logged in to with one.
    let mut call = async |method, path: &str, token: Option<&str>, body: Value| {
        let answer = walk.call(method, path, token, Some(body)).await;
        (answer.status.as_u16(), answer.json["type"].as_str().unwrap_or_default().to_owned())
    };
    for password in ["", "correct horse"] {
        let body = json!({"email": "carol@example.com", "password": password});
        let refused = call(Method::POST, "/api/v1/auth/login", None, body).await;
        assert_eq!(refused, (401, "/problems/wrong-credentials".to_owned()));
    }
    let body = json!({"email": "carol@example.com", "password": "correct horse", "name": "Eve"});
    let taken = call(Method::POST, "/api/v1/users", None, body).await;
    assert_eq!(taken, (409, "/problems/email-taken".to_owned()));
    for change in [
        json!({"password": "correct horse", "currentPassword": ""}),
        json!({"email": "buyer@example.com", "currentPassword": ""}),
        json!({"email": "new@example.com"}),
    ] {
        let refused = call(Method::PATCH, ME, Some(&carol), change.clone()).await;
        assert_eq!(refused, (400, "/problems/invalid-request".to_owned()), "{change}");
    }
    assert_eq!(call(Method::PATCH, ME, Some(&carol), json!({"name": "Carola"})).await.0, 200);
}

#[tokio::test]
async fn an_address_that_is_verified_later_is_taken_over_when_it_comes() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let mut walk = strict(&provider).await;
    let token = |subject: &str, email: &str, verified: bool, age_s: i64| {
        let more = json!({"email": email, "email_verified": verified, "iat": NOW_S - age_s});
        key.token(&with(claims(&provider, subject), more))
    };
    let nameless = key.token(&claims(&provider, "ann"));
    let id = walk.get_as(&nameless, ME).await.json["id"].clone();
    let mut email = async |token: &str| {
        let me = walk.get_as(token, ME).await;
        assert_eq!((me.status, &me.json["id"]), (StatusCode::OK, &id), "{}", me.json);
        me.json["email"].as_str().unwrap().to_owned()
    };
    assert_eq!(email(&token("ann", "ann@example.com", false, 50)).await, "");
    // It is there with the first token that has it, and stays with those that have not.
    assert_eq!(email(&token("ann", "Ann@Example.com", true, 40)).await, "ann@example.com");
    assert_eq!(email(&nameless).await, "ann@example.com");
    assert_eq!(email(&token("ann", "ann@example.com", false, 30)).await, "ann@example.com");
    // One that was changed, too; an older token does not change it back.
    assert_eq!(email(&token("ann", "ann@bücher.example", true, 20)).await, "ann@bücher.example");
    assert_eq!(email(&token("ann", "ann@example.com", true, 30)).await, "ann@bücher.example");
    // One that another account has stays that one's, until it is free and a new token says it.
    assert_eq!(email(&token("ann", "buyer@example.com", true, 10)).await, "ann@bücher.example");
    let buyer = walk.buyer.clone();
    assert_eq!(walk.get_as(&buyer, ME).await.json["email"], "buyer@example.com");
    walk.call(Method::DELETE, ME, Some(&buyer), None).await;
    let me = walk.get_as(&token("ann", "buyer@example.com", true, 5), ME).await;
    assert_eq!((&me.json["id"], &me.json["email"]), (&id, &"buyer@example.com".into()));
}

#[tokio::test]
async fn an_account_of_the_providers_is_disabled_and_its_role_is_the_providers() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let mut walk = strict(&provider).await;
    let admin = walk.server.log_in("admin", Role::Admin).await;
    let ann = key.token(&claims(&provider, "ann"));
    let id = walk.get_as(&ann, ME).await.json["id"].clone();
    let account = format!("/api/v1/admin/accounts/{id}");
    let mut change = async |body: Value| walk.call(Method::PATCH, &account, Some(&admin), Some(body)).await;
    let refused = change(json!({"role": "organiser"})).await;
    assert_eq!((refused.status, &refused.json["field"]), (StatusCode::BAD_REQUEST, &"role".into()));
    let disabled = change(json!({"disabled": true})).await;
    assert_eq!((disabled.status, &disabled.json["hasPassword"]), (StatusCode::OK, &false.into()));
    assert_refused(&walk.get_as(&ann, ME).await, "disabled");
    let enabled = walk.call(Method::PATCH, &account, Some(&admin), Some(json!({"disabled": false}))).await;
    assert!(enabled.json["disabledAt"].is_null(), "{}", enabled.json);
    assert_eq!(walk.get_as(&ann, ME).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_closed_account_stays_closed_for_the_tokens_from_before() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let mut walk = strict(&provider).await;
    let address = json!({"email": "ann@example.com", "email_verified": true});
    let ann = with(claims(&provider, "ann"), address);
    let before = key.token(&ann);
    let account = walk.get_as(&before, ME).await.json;
    let closed = walk.call(Method::DELETE, ME, Some(&before), None).await;
    assert_eq!(closed.status, StatusCode::NO_CONTENT);
    assert_refused(&walk.get_as(&before, ME).await, "the token that closed it");
    assert_refused(&walk.get_as(&key.token(&without(ann.clone(), "iat")), ME).await, "of unknown age");

    walk.server.clock.advance_ms(5_000);
    let after = key.token(&with(ann, json!({"iat": NOW_S + 5})));
    let anew = walk.get_as(&after, ME).await;
    assert_eq!((anew.status, &anew.json["email"]), (StatusCode::OK, &"ann@example.com".into()));
    assert_ne!(anew.json["id"], account["id"], "who logs in again has a new account");
    assert_eq!(walk.get_as(&before, ME).await.json["id"], anew.json["id"], "as whoever it is");
}

#[tokio::test]
async fn a_crowd_of_first_tokens_makes_one_account() {
    let key = SigningKey::es256("ec");
    let provider = OpenIdProvider::start(&[&key]).await;
    let walk = strict(&provider).await;
    let token = key.token(&claims(&provider, "ann"));
    let asking = (0..50).map(|_| {
        let (engine, token) = (walk.server.engine.clone(), token.clone());
        tokio::spawn(async move { engine.accounts.caller(&token).await.unwrap().user })
    });
    let asking: Vec<_> = asking.collect();
    let mut users = Vec::new();
    for asking in asking {
        users.push(asking.await.unwrap());
    }
    users.dedup();
    assert_eq!(users.len(), 1, "{users:?}");
}
