//! The errors of librdkafka by what to do about them.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::{ClientError, ErrorKind};

/// Makes an error of a call. `doing` completes "cannot ...".
pub(super) fn classify(doing: &str, error: &KafkaError) -> ClientError {
    let kind = kind_of(error);
    let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
    let advice = match kind {
        ErrorKind::Retriable => "it is tried again",
        ErrorKind::Abort => "the transaction is aborted and its records are read again",
        ErrorKind::Fenced => {
            "another worker has the same transactional.id or group.instance.id, or a transaction took \
             longer than transaction.timeout.ms: give each worker its own id, then start this one again"
        }
        ErrorKind::Fatal => advice_for(code),
    };
    ClientError::new(kind, format!("cannot {doing}: {error}: {advice}"))
}

/// Makes an error of a call that a broker has to answer. If there was no answer, the error says what
/// became of the `connection`, as a certificate that is not trusted.
pub(super) fn classify_unanswered(
    doing: &str,
    error: &KafkaError,
    connection: Option<(KafkaError, String)>,
) -> ClientError {
    let classified = classify(doing, error);
    let Some((cause, reason)) = connection.filter(|_| classified.kind == ErrorKind::Retriable)
    else {
        return classified;
    };
    let code = cause.rdkafka_error_code().unwrap_or(Code::Unknown);
    let (kind, advice) = match kind_of(&cause) {
        ErrorKind::Fatal => (ErrorKind::Fatal, advice_for(code)),
        // The broker need not say why it closes a connection.
        _ if code == Code::BrokerTransportFailure => (
            ErrorKind::Retriable,
            "it is tried again. Check the address, and security.protocol if brokers want TLS or a user",
        ),
        _ => (ErrorKind::Retriable, "it is tried again"),
    };
    ClientError::new(kind, format!("cannot {doing}: {reason}: {advice}"))
}

/// Makes an error of a call of a transaction that began some time ago.
///
/// The broker aborts a transaction that takes too long, and gives its producer a new epoch. librdkafka
/// reports that as it reports a newer producer. Then the client is rebuilt and no worker stops. If
/// there is a newer producer all the same, the rebuilt one ends that one, which stops.
pub(super) fn classify_in_transaction(
    doing: &str,
    error: &KafkaError,
    age: Option<Duration>,
    limit: Duration,
) -> ClientError {
    let classified = classify(doing, error);
    if classified.kind != ErrorKind::Fenced || age.is_none_or(|age| age < limit) {
        return classified;
    }
    ClientError::new(
        ErrorKind::Abort,
        format!(
            "cannot {doing}: {error}: the broker aborted the transaction, as it took longer than \
             {limit:?}. Raise transaction.timeout.ms if that happens often"
        ),
    )
}

fn kind_of(error: &KafkaError) -> ErrorKind {
    let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
    if let Some(kind) = kind_of_code(code) {
        return kind;
    }
    match error {
        KafkaError::Transaction(inner) => {
            if inner.txn_requires_abort() {
                ErrorKind::Abort
            } else if inner.is_retriable() {
                ErrorKind::Retriable
            } else {
                // A producer in a fatal state fails to abort, too, and is rebuilt then.
                ErrorKind::Abort
            }
        }
        KafkaError::MessageConsumptionFatal(_) => ErrorKind::Abort,
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => {
            ErrorKind::Fatal
        }
        _ => ErrorKind::Retriable,
    }
}

/// The codes that mean the same in every call.
fn kind_of_code(code: Code) -> Option<ErrorKind> {
    Some(match code {
        Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::FencedInstanceId
        | Code::InvalidProducerIdMapping => ErrorKind::Fenced,
        // The client cannot be used any more: aborting fails, too, and then it is rebuilt.
        Code::Fatal
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::RebalanceInProgress => ErrorKind::Abort,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::AutoOffsetReset
        | Code::OffsetOutOfRange
        | Code::MessageSizeTooLarge
        | Code::OffsetMetadataTooLarge
        | Code::InvalidTransactionTimeout
        | Code::InconsistentGroupProtocol
        | Code::InvalidTopic
        | Code::UnknownPartition
        | Code::UnknownTopic => ErrorKind::Fatal,
        _ => return None,
    })
}

fn advice_for(code: Code) -> &'static str {
    match code {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => {
            "grant this user the right in the brokers' ACLs"
        }
        Code::SaslAuthenticationFailed | Code::Authentication => "check user, password and TLS",
        Code::AutoOffsetReset | Code::OffsetOutOfRange => {
            "the committed offset is not in the topic any more, so records were removed before they \
             were read: reset the offsets of the group, and raise retention.ms"
        }
        Code::MessageSizeTooLarge => {
            "raise message.max.bytes here and max.message.bytes of the topic"
        }
        Code::OffsetMetadataTooLarge => "raise offset.metadata.max.bytes of the brokers",
        Code::InvalidTransactionTimeout => {
            "set transaction.timeout.ms below the brokers' transaction.max.timeout.ms"
        }
        Code::InconsistentGroupProtocol => {
            "set the same partition.assignment.strategy in all workers of the group"
        }
        Code::InvalidTopic | Code::UnknownTopic | Code::UnknownPartition => {
            "create the topic, and check its name"
        }
        _ => "correct the settings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed_out() -> KafkaError {
        KafkaError::MetadataFetch(Code::OperationTimedOut)
    }

    #[test]
    fn a_call_without_an_answer_says_what_became_of_the_connection() {
        let doing = "read the partitions of topic in";
        let reason = "ssl://h:1/bootstrap: SSL handshake failed: certificate verify failed";
        let connection = Some((KafkaError::Global(Code::SSL), reason.to_owned()));
        let error = classify_unanswered(doing, &timed_out(), connection);
        assert_eq!(error.kind, ErrorKind::Retriable);
        assert_eq!(error.to_string(), format!("cannot {doing}: {reason}: it is tried again"));

        let reason = "h:1/bootstrap: Disconnected: connection closed by peer";
        let connection =
            Some((KafkaError::Global(Code::BrokerTransportFailure), reason.to_owned()));
        let error = classify_unanswered(doing, &timed_out(), connection);
        assert_eq!(error.kind, ErrorKind::Retriable);
        assert!(error.to_string().starts_with(&format!("cannot {doing}: {reason}: it is tried")));
        assert!(error.to_string().contains("security.protocol"), "{error}");

        let reason =
            "sasl_ssl://h:1/bootstrap: Authentication failed: Invalid username or password";
        let connection = Some((KafkaError::Global(Code::Authentication), reason.to_owned()));
        let error = classify_unanswered(doing, &timed_out(), connection);
        assert_eq!(error.kind, ErrorKind::Fatal);
        assert_eq!(
            error.to_string(),
            format!("cannot {doing}: {reason}: check user, password and TLS")
        );
    }

    #[test]
    fn an_answer_is_not_replaced_by_an_older_error_of_the_connection() {
        let older = Some((KafkaError::Global(Code::SSL), "an older error".to_owned()));
        let refused = KafkaError::MetadataFetch(Code::TopicAuthorizationFailed);
        let error = classify_unanswered("read the partitions of topic in", &refused, older);
        assert_eq!(error.kind, ErrorKind::Fatal);
        assert!(!error.to_string().contains("an older error"), "{error}");
    }
}
