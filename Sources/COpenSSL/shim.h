// OpenSSL, and as functions what of it are macros, which Swift cannot call.
#pragma once
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

/// TLS 1.2 and up, without compression and renegotiation: nobody needs them, and both have been attacked.
static inline void trinity_ssl_restrict(SSL_CTX *context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}

static inline void trinity_ssl_accept_moving_writes(SSL *session) {
    SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

/// Bytes that a memory BIO holds.
static inline size_t trinity_bio_pending(BIO *bio) {
    return BIO_ctrl_pending(bio);
}

/// Never a passphrase: without a callback OpenSSL would ask for it on the terminal.
static inline int trinity_no_passphrase(char *buffer, int size, int is_writing, void *data) {
    (void)buffer, (void)size, (void)is_writing, (void)data;
    return -1;
}

/// Chooses http/1.1, the one protocol there is here (RFC 7301, 3.2).
static inline int trinity_choose_http11(
    SSL *session, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
    unsigned int offered_length, void *data) {
    static const unsigned char http11[] = "\x08http/1.1";
    (void)session, (void)data;
    if (SSL_select_next_proto((unsigned char **)chosen, length, http11, sizeof http11 - 1, offered, offered_length)
        == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// The time in which a context's certificate and those behind it are valid together, in Unix time; 0: it has none, or a
/// date cannot be read.
static inline int trinity_ssl_validity(SSL_CTX *context, long long *not_before, long long *not_after) {
    X509 *certificate = SSL_CTX_get0_certificate(context);
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(context, &chain);
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int is_read = certificate != NULL && epoch != NULL;
    for (int i = -1; is_read && i < (chain ? sk_X509_num(chain) : 0); i++) {
        const X509 *one = i < 0 ? certificate : sk_X509_value(chain, i);
        int days = 0, seconds = 0, later_days = 0, later_seconds = 0;
        is_read = ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notBefore(one)) == 1
            && ASN1_TIME_diff(&later_days, &later_seconds, epoch, X509_get0_notAfter(one)) == 1;
        long long begin = days * 86400LL + seconds, end = later_days * 86400LL + later_seconds;
        if (i < 0 || begin > *not_before) *not_before = begin;
        if (i < 0 || end < *not_after) *not_after = end;
    }
    ASN1_TIME_free(epoch);
    return is_read;
}

static inline void trinity_ssl_offer_http11(SSL_CTX *context) {
    SSL_CTX_set_alpn_select_cb(context, trinity_choose_http11, NULL);
}

static inline int trinity_error_is_http_request(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
}

/// Whether a private key is refused because it is of another kind or another key than the certificate.
static inline int trinity_error_is_key_mismatch(unsigned long code) {
    int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_X509
        && (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH);
}

/// The server that a client expects: its certificate must be valid for this name or IP address; a name is also sent (RFC 6066, 3).
static inline int trinity_ssl_expect_host(SSL *session, const char *host) {
    X509_VERIFY_PARAM *expected = SSL_get0_param(session);
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1) return 1;
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(expected, host, 0) == 1 && SSL_set_tlsext_host_name(session, host) == 1;
}
