//! Uses a key manager as Krill does, through NLnet Labs' kmip-protocol over rustls: a key pair is made under a
//! passing name, renamed, activated, signs, and is destroyed. Prints, each in hex on a line of its own, the
//! public key (PKCS#1 in DER) and the signature over the message that it was given.

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use kmip_protocol::client::tls::rustls::connect;
use kmip_protocol::client::{ClientCertificate, ConnectionSettings, Error};
use kmip_protocol::types::common::{KeyMaterial, Operation};
use kmip_protocol::types::response::ManagedObject;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn settings(port: &str, folder: &str, credentials: &[String]) -> Outcome<ConnectionSettings> {
    let read = |name: &str| fs::read(format!("{folder}/{name}"));
    let patience = Some(Duration::from_secs(200));
    Ok(ConnectionSettings {
        // It takes names, no addresses.
        host: "localhost".to_owned(),
        port: port.parse()?,
        username: credentials.first().cloned(),
        password: credentials.get(1).cloned(),
        client_cert: Some(ClientCertificate::SeparatePem {
            cert_bytes: read("cert.pem")?,
            key_bytes: Some(read("key.pem")?),
        }),
        ca_cert: Some(read("ca.pem")?),
        connect_timeout: patience,
        read_timeout: patience,
        write_timeout: patience,
        max_response_bytes: Some(64 * 1024),
        ..Default::default()
    })
}

/// Fails unless an operation was refused because there is no such object.
fn is_missing<T>(outcome: Result<T, Error>) -> Outcome<()> {
    match outcome {
        Err(Error::ItemNotFound(_)) => Ok(()),
        Err(error) => Err(format!("refused for another reason: {error}").into()),
        Ok(_) => Err("done with an object that is not there".into()),
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let [port, folder, stem, message, credentials @ ..] = arguments else {
        return Err("usage: interop PORT FOLDER STEM MESSAGE [USERNAME PASSWORD]".into());
    };
    let client = connect(&settings(port, folder, credentials)?)?;

    let told = client.query()?;
    let offered = told.operations.unwrap_or_default();
    for needed in [
        Operation::CreateKeyPair,
        Operation::Activate,
        Operation::Get,
        Operation::ModifyAttribute,
        Operation::Revoke,
        Operation::Destroy,
    ] {
        if !offered.contains(&needed) {
            return Err(format!("Query does not offer {needed:?}").into());
        }
    }
    if client.rng_retrieve(32)?.data.len() != 32 {
        return Err("32 random bytes were asked for".into());
    }

    let (private, public) =
        client.create_rsa_key_pair(2048, format!("{stem} private"), format!("{stem} public"))?;
    client.rename_key(&private, format!("{stem} {private}"))?;
    client.rename_key(&public, format!("{stem} {public}"))?;
    client.activate_key(&private)?;
    let signature = client.sign(&private, message.as_bytes())?.signature_data;

    let ManagedObject::PublicKey(key) = client.get_key(&public)?.cryptographic_object else {
        return Err("the public key is something else".into());
    };
    let KeyMaterial::Bytes(der) = key.key_block.key_value.key_material else {
        return Err("the public key is not in PKCS#1".into());
    };
    println!("{}\n{}", hex(&der), hex(&signature));

    client.revoke_key(&private)?;
    client.destroy_key(&private)?;
    client.destroy_key(&public)?;
    is_missing(client.activate_key(stem))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop: {error}");
            ExitCode::FAILURE
        }
    }
}
