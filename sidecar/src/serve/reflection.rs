//! gRPC server reflection (`grpc/reflection/v1/reflection.proto`, and `v1alpha`, which has the same
//! messages under another name): what grpcurl and its like ask before they call. A conversation: each
//! question is answered as it comes, and the client ends it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Frame, Incoming};
use tokio::time::Sleep;

use super::descriptor::{FILE, SERVICE, file, has};
use super::grpc::{
    DEADLINE_EXCEEDED, INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED, fields, frame, write,
};
use super::router::Body;

/// How long a conversation may last.
const LONGEST: Duration = Duration::from_secs(120);
/// Bytes of all questions of a conversation.
const LARGEST: usize = 64 << 10;

/// Whether a path is the method's, of either version.
pub(super) fn is_asked(path: &str) -> bool {
    matches!(
        path,
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    )
}

/// The answer to a call, which goes on as long as the client asks.
pub(super) fn answer(questions: Incoming) -> Response<Body> {
    let conversation = Conversation {
        questions: Box::pin(Limited::new(questions, LARGEST)),
        read: Vec::new(),
        ends: Box::pin(tokio::time::sleep(LONGEST)),
        over: false,
    };
    let mut response = Response::new(conversation.boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

struct Conversation {
    questions: Pin<Box<Limited<Incoming>>>,
    /// What was read and not answered yet.
    read: Vec<u8>,
    ends: Pin<Box<Sleep>>,
    over: bool,
}

type Next = Poll<Option<Result<Frame<Bytes>, Infallible>>>;

impl hyper::body::Body for Conversation {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Next {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            match question(&mut self.read) {
                Err(()) => return self.end(INVALID_ARGUMENT),
                Ok(None) => {}
                Ok(Some(question)) => {
                    let Some(reply) = reply(&question) else {
                        return self.end(INVALID_ARGUMENT);
                    };
                    return Poll::Ready(Some(Ok(Frame::data(frame(&reply).into()))));
                }
            }
            match self.questions.as_mut().poll_frame(context) {
                Poll::Ready(Some(Ok(more))) => {
                    if let Ok(data) = more.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
                Poll::Ready(Some(Err(_))) => return self.end(INVALID_ARGUMENT),
                Poll::Ready(None) => {
                    let status = if self.read.is_empty() { 0 } else { INVALID_ARGUMENT };
                    return self.end(status);
                }
                Poll::Pending => {
                    return match self.ends.as_mut().poll(context) {
                        Poll::Ready(()) => self.end(DEADLINE_EXCEEDED),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }
}

impl Conversation {
    fn end(&mut self, status: u8) -> Next {
        self.over = true;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

/// Takes a whole message off what was read; none: it is not there yet.
fn question(read: &mut Vec<u8>) -> Result<Option<Vec<u8>>, ()> {
    let Some((head, rest)) = read.split_at_checked(5) else { return Ok(None) };
    let [compressed, length @ ..] = head else { return Err(()) };
    let length = <[u8; 4]>::try_from(length).map(u32::from_be_bytes).map_err(|_| ())?;
    let length = usize::try_from(length).map_err(|_| ())?;
    if *compressed != 0 || length > LARGEST {
        return Err(());
    }
    let Some(message) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
    read.drain(..length.saturating_add(5));
    Ok(Some(message))
}

/// `ServerReflectionResponse` to a `ServerReflectionRequest`. None: malformed.
fn reply(question: &[u8]) -> Option<Vec<u8>> {
    // Of a oneof the last member counts; 1 is the host.
    let members = fields(question)?;
    let asked = members.iter().rev().find(|(number, _)| (3..=7).contains(number));
    let host = members.iter().rev().find(|(number, _)| *number == 1);
    let described = || write(4, &write(1, &file()));
    let said = match asked {
        Some((3, name)) if *name == FILE.as_bytes() => described(),
        Some((3, _)) => failed(NOT_FOUND, "no such file"),
        Some((4, symbol)) if std::str::from_utf8(symbol).is_ok_and(has) => described(),
        Some((4, _)) => failed(NOT_FOUND, "no such symbol"),
        Some((5 | 6, _)) => failed(NOT_FOUND, "no such extension"),
        Some((7, _)) => write(6, &write(1, &write(1, SERVICE.as_bytes()))),
        _ => failed(UNIMPLEMENTED, "no such question"),
    };
    let host = host.map_or(&[][..], |(_, host)| host);
    Some([write(1, host), write(2, question), said].concat())
}

/// `ErrorResponse`: the code is a varint below 128.
fn failed(code: u8, why: &str) -> Vec<u8> {
    write(7, &[&[1 << 3, code][..], &write(2, why.as_bytes())].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(question: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let reply = reply(question).unwrap();
        let owned = |(number, content): (u64, &[u8])| (number, content.to_vec());
        fields(&reply).unwrap().into_iter().map(owned).collect()
    }

    #[test]
    fn each_question_has_its_answer_and_comes_back_with_it() {
        for (question, number) in [
            (write(7, b""), 6),
            (write(4, SERVICE.as_bytes()), 4),
            (write(3, FILE.as_bytes()), 4),
            (write(4, b"key_provider.Nothing"), 7),
            (write(3, b"other.proto"), 7),
            (write(6, b"key_provider.HelloRequest"), 7),
            (write(1, b"host"), 7),
            (Vec::new(), 7),
        ] {
            let answer = answered(&question);
            assert_eq!(answer.last().unwrap().0, number, "{question:?}");
            assert!(answer.contains(&(2, question.clone())), "{question:?}");
        }
        assert!(reply(b"\x22\xff").is_none());
    }

    #[test]
    fn it_lists_the_one_service_and_describes_the_one_file() {
        let last = |question: &[u8]| answered(question).pop().unwrap().1;
        // `ListServiceResponse` of one `ServiceResponse`; `FileDescriptorResponse` of one file.
        assert_eq!(last(&write(7, b"")), write(1, &write(1, SERVICE.as_bytes())));
        for question in [write(4, b"key_provider.HelloReply"), write(3, FILE.as_bytes())] {
            assert_eq!(last(&question), write(1, &file()));
        }
        // What it does not have it does not have, by the code for that.
        for question in [
            write(4, b"grpc.reflection.v1.ServerReflection"),
            write(4, b"key_provider"),
            write(3, b"grpc/reflection/v1/reflection.proto"),
            write(5, b""),
        ] {
            assert!(last(&question).starts_with(&[1 << 3, NOT_FOUND]), "{question:?}");
        }
    }

    #[test]
    fn a_question_is_taken_when_it_is_whole_and_no_longer_than_it_may_be() {
        let whole = [frame(b"one"), frame(b"two")].concat();
        for cut in 0..8 {
            let mut read = whole[..cut].to_vec();
            assert_eq!(question(&mut read), Ok(None), "{cut}");
        }
        let mut read = whole;
        assert_eq!(question(&mut read), Ok(Some(b"one".to_vec())));
        assert_eq!(question(&mut read), Ok(Some(b"two".to_vec())));
        assert_eq!(question(&mut read), Ok(None));
        assert!(question(&mut vec![1, 0, 0, 0, 0]).is_err());
        assert!(question(&mut vec![0, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
