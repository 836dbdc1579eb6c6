use super::*;

/// Everything that is not the public internet, the first and the last address of each where there is
/// an edge to miss.
const NOT_PUBLIC: &[&str] = &[
    // This network, loopback, private, link-local, shared.
    "0.0.0.0",
    "0.255.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.255.255",
    "169.254.0.0",
    "169.254.255.255",
    "100.64.0.0",
    "100.127.255.255",
    // Metadata and platform services.
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    // Protocol assignments, documentation, benchmarks.
    "192.0.0.0",
    "192.0.0.255",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "198.18.0.0",
    "198.19.255.255",
    "192.88.99.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    // Multicast, reserved, broadcast.
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.254",
    "255.255.255.255",
    // IPv6: unspecified, loopback, unique local, link-local, site-local, multicast, discard.
    "::",
    "::1",
    "fc00::",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1",
    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fec0::1",
    "ff02::1",
    "100::1",
    "fd00:ec2::254",
    // Documentation, Teredo, ORCHID, benchmarks, segment routing.
    "2001:db8::1",
    "3fff::1",
    "2001::1",
    "2001:2::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "5f00::1",
    // IPv4 in disguise: mapped, compatible, translated, 6to4.
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::a9fe:a9fe",
    "::ffff:0:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::192.168.0.1",
    "64:ff9b:1:2:3:4:7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:1::",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:200::1",
    "2a00::1",
    "3ffe::1",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2002:101:101::",
];

#[test]
fn only_public_addresses_are_called() {
    let policy = TargetPolicy::default();
    for text in NOT_PUBLIC {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(policy.check_address(address), Err(TargetError::NotPublic(address)), "{text}");
    }
    for text in PUBLIC {
        assert_eq!(policy.check_address(text.parse().unwrap()), Ok(()), "{text}");
    }
}

#[test]
fn an_address_in_a_url_is_judged_however_it_is_written() {
    let policy = TargetPolicy { ports: Vec::new(), ..TargetPolicy::default() };
    let loopback = [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.0.0.1./",
        "https://%31%32%37.0.0.1/",
        "https://①②⑦.0.0.1/",
        "https:\\\\127.0.0.1\\x",
        "https://127.0.0.1:9/",
    ];
    for text in loopback {
        let refused = policy.check_url(text).unwrap_err();
        assert_eq!(refused, TargetError::NotPublic(Ipv4Addr::LOCALHOST.into()), "{text}");
    }
    for address in NOT_PUBLIC {
        let host = if address.contains(':') { format!("[{address}]") } else { (*address).to_owned() };
        let refused = policy.check_url(&format!("https://{host}/hook")).unwrap_err();
        assert!(matches!(refused, TargetError::NotPublic(_)), "{address}: {refused}");
    }
    for text in ["https://1.1.1.1/", "https://[2606:4700:4700::1111]/hook?x=1", "https://example.com"] {
        assert!(policy.check_url(text).is_ok(), "{text}");
    }
}

#[test]
fn schemes_ports_and_credentials_are_judged() {
    let strict = TargetPolicy::default();
    let refused = |text: &str| strict.check_url(text).unwrap_err();
    assert_eq!(refused("http://example.com/"), TargetError::Scheme("http".to_owned()));
    for scheme in ["ftp://example.com/", "file:///etc/passwd", "gopher://example.com:443/", "unix:/run/x"] {
        assert!(matches!(refused(scheme), TargetError::Scheme(_)), "{scheme}");
    }
    assert_eq!(refused("https://example.com:22/"), TargetError::Port(22));
    assert_eq!(refused("https://user@example.com/"), TargetError::Credentials);
    assert_eq!(refused("https://1.1.1.1:x@127.0.0.1/"), TargetError::Credentials);
    assert_eq!(refused(&format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX))), TargetError::TooLong);
    for text in ["", "example.com", "https://", "https://exa mple.com/", "https://[::1/"] {
        assert!(matches!(refused(text), TargetError::NotAUrl(_)), "{text}");
    }
    assert!(strict.check_url("https://example.com:8443/").is_ok());
    let lax = TargetPolicy { allow_http: true, ports: Vec::new(), ..TargetPolicy::default() };
    assert!(lax.check_url("http://example.com:8080/").is_ok());
}

#[test]
fn a_network_may_be_allowed_and_only_that() {
    let allow_networks = ["10.1.0.0/16", "fd12::/16", "127.0.0.1"].map(|text| text.parse().unwrap());
    let policy = TargetPolicy { allow_networks: allow_networks.to_vec(), ..TargetPolicy::default() };
    for inside in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd12::1", "127.0.0.1"] {
        assert_eq!(policy.check_address(inside.parse().unwrap()), Ok(()), "{inside}");
    }
    for outside in ["10.0.255.255", "10.2.0.0", "fd13::1", "127.0.0.2", "169.254.169.254"] {
        assert!(policy.check_address(outside.parse().unwrap()).is_err(), "{outside}");
    }
    for wrong in ["10.0.0.0/33", "::/129", "10.0.0/8", "x", "", "10.0.0.0/-1", "10.0.0.0/"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
    assert_eq!("0.0.0.0/0".parse::<Network>().unwrap().to_string(), "0.0.0.0/0");
}
