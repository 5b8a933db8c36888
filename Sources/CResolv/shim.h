// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

/// Where a service is (RFC 2782).
struct service_record {
    unsigned short port;
    /// Without a dot at the end.
    char host[NS_MAXDNAME];
};

/// Asks the name servers of the system where a service is, or, where `server` is not 0, one at that port of this machine.
/// Returns the bytes of the answer; below 0 where there is none.
static inline int service_query(const char *name, unsigned short server, unsigned char *answer, int size)
{
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0) return -1;
    if (server != 0) {
        state.nscount = 1;
        state.nsaddr_list[0].sin_family = AF_INET;
        state.nsaddr_list[0].sin_port = htons(server);
        state.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    int count = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, size);
    res_nclose(&state);
    return count > size ? size : count;
}

/// Reads one of an answer's records. Returns 1 where it is one of a service, 0 where it is another, below 0 where there is none.
static inline int service_record_at(const unsigned char *answer, int count, int place, struct service_record *record)
{
    ns_msg message;
    ns_rr found;
    if (ns_initparse(answer, count, &message) != 0 || place >= ns_msg_count(message, ns_s_an)) return -1;
    if (ns_parserr(&message, ns_s_an, place, &found) != 0) return -1;
    if (ns_rr_type(found) != ns_t_srv || ns_rr_rdlen(found) < 7) return 0;
    record->port = ns_get16(ns_rr_rdata(found) + 4);
    return dn_expand(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(found) + 6, record->host, sizeof record->host) > 0;
}
