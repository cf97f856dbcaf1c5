/*
 * Drives libstrophe by lines: commands on standard input, events on standard output, stanzas on standard error.
 *
 * internal/interop/driver_test.go describes the lines. Receipts (XEP-0184) are the application's part with this library, so they
 * are made here.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <strophe.h>

#define NS_RECEIPTS "urn:xmpp:receipts"
#define NS_DELAY "urn:xmpp:delay"
#define NS_PING "urn:xmpp:ping"
#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define LOOP_MS 10
#define MAX_COMMAND (64 * 1024)
#define MAX_WAITING 4096

static struct {
    xmpp_ctx_t *ctx;
    xmpp_conn_t *conn;
    const char *host;
    unsigned short port;
    bool up;      /* logged in or resumed */
    bool been_up; /* at least once */
    bool managed; /* stream management is wanted */
    bool enabled; /* the server has said that it manages the stream */
    bool resumed; /* this connection resumed the stream of the one before */
    bool greet;   /* the presence is yet to be sent */
    bool ending;  /* quit was read */
    bool again;   /* the connection was lost and has to be made anew */
    bool done;
    char *waiting[MAX_WAITING]; /* commands that came while there was no connection */
    size_t waiting_len;
    char *handed[MAX_WAITING]; /* those of them that the library has, but hasn't sent */
    size_t handed_len;
} d;

static void tell(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* Says whether a line of the log, from its message on, is about the message that the library has to send next. */
static bool is_next(const char *stanza)
{
    static const char start[] = "<message id=\"";
    char id[256];

    if (d.handed_len == 0 || strncmp(stanza, start, sizeof start - 1) != 0)
        return false;
    stanza += sizeof start - 1;
    return sscanf(d.handed[0], "send\t%*[^\t]\t%255[^\t]", id) == 1 && strncmp(stanza, id, strlen(id)) == 0 &&
           stanza[strlen(id)] == '"';
}

static void drop_first(char **list, size_t *len)
{
    free(list[0]);
    memmove(list, list + 1, --*len * sizeof *list);
}

/* The library tells about stream management, and about what it has sent, nowhere but in its log. */
static void log_line(void *userdata, xmpp_log_level_t level, const char *area, const char *msg)
{
    (void)userdata;
    (void)level;
    struct timespec now;
    char stamp[32];

    clock_gettime(CLOCK_REALTIME, &now);
    strftime(stamp, sizeof stamp, "%H:%M:%S", gmtime(&now.tv_sec));
    fprintf(stderr, "%s.%03ld %s %s\n", stamp, now.tv_nsec / 1000000, area, msg);
    if (strstr(msg, "RECV: <resumed") == msg)
        d.resumed = true;
    if (strstr(msg, "RECV: <enabled") == msg)
        d.enabled = true;
    if (strncmp(msg, "SENT: ", 6) == 0 && is_next(msg + 6))
        drop_first(d.handed, &d.handed_len);
}

static xmpp_stanza_t *child(xmpp_stanza_t *parent, const char *name, const char *ns)
{
    xmpp_stanza_t *e = xmpp_stanza_new(d.ctx);

    xmpp_stanza_set_name(e, name);
    if (ns != NULL)
        xmpp_stanza_set_ns(e, ns);
    xmpp_stanza_add_child(parent, e);
    xmpp_stanza_release(e); /* the parent holds it */
    return e;
}

static void send_message(char *to, char *id, bool request, char *body)
{
    xmpp_stanza_t *m = xmpp_message_new(d.ctx, "chat", to, id);

    xmpp_message_set_body(m, body);
    if (request)
        child(m, "request", NS_RECEIPTS);
    xmpp_send(d.conn, m);
    xmpp_stanza_release(m);
}

static void send_received(const char *to, const char *id)
{
    xmpp_stanza_t *m = xmpp_message_new(d.ctx, "chat", to, NULL);

    xmpp_stanza_set_id(child(m, "received", NS_RECEIPTS), id);
    xmpp_send(d.conn, m);
    xmpp_stanza_release(m);
}

static int on_message(xmpp_conn_t *conn, xmpp_stanza_t *m, void *userdata)
{
    (void)conn;
    (void)userdata;
    const char *from = xmpp_stanza_get_from(m);
    const char *id = xmpp_stanza_get_id(m);
    const char *type = xmpp_stanza_get_type(m);
    xmpp_stanza_t *receipt = xmpp_stanza_get_child_by_ns(m, NS_RECEIPTS);
    char *body = xmpp_message_get_body(m);

    if (type != NULL && strcmp(type, "error") == 0) {
        xmpp_stanza_t *error = xmpp_stanza_get_child_by_name(m, "error");
        xmpp_stanza_t *condition = error != NULL ? xmpp_stanza_get_children(error) : NULL;
        printf("error\t%s\t%s\n", from, condition != NULL ? xmpp_stanza_get_name(condition) : "");
    } else if (receipt != NULL && strcmp(xmpp_stanza_get_name(receipt), "received") == 0) {
        printf("receipt\t%s\t%s\n", from, xmpp_stanza_get_id(receipt));
    } else if (body != NULL) {
        body[strcspn(body, "\n")] = '\0';
        bool delayed = xmpp_stanza_get_child_by_ns(m, NS_DELAY) != NULL;
        printf("message\t%s\t%s\t%d\t%s\n", from, id != NULL ? id : "", delayed, body);
        if (receipt != NULL && id != NULL)
            send_received(from, id);
    }
    fflush(stdout);
    xmpp_free(d.ctx, body);
    return 1;
}

/*
 * Every request has an answer (RFC 6120 section 8.2.3), which the library leaves to applications: a ping gets its result, all else an
 * error.
 */
static int on_request(xmpp_conn_t *conn, xmpp_stanza_t *iq, void *userdata)
{
    (void)userdata;
    const char *type = xmpp_stanza_get_type(iq);

    if (type == NULL || (strcmp(type, "get") != 0 && strcmp(type, "set") != 0))
        return 1;
    xmpp_stanza_t *reply = xmpp_stanza_reply(iq);

    if (xmpp_stanza_get_child_by_ns(iq, NS_PING) != NULL) {
        xmpp_stanza_set_type(reply, "result");
    } else {
        xmpp_stanza_set_type(reply, "error");
        xmpp_stanza_t *error = child(reply, "error", NULL);
        xmpp_stanza_set_type(error, "cancel");
        child(error, "service-unavailable", NS_STANZAS);
    }
    xmpp_send(conn, reply);
    xmpp_stanza_release(reply);
    return 1;
}

static void command(const char *line)
{
    char *fields = strdup(line), *rest = fields, *name = strsep(&rest, "\t");

    if (strcmp(name, "quit") == 0) {
        d.ending = true;
        xmpp_disconnect(d.conn);
    } else if (strcmp(name, "send") == 0) {
        char *to = strsep(&rest, "\t"), *id = strsep(&rest, "\t"), *request = strsep(&rest, "\t");
        if (d.handed_len == MAX_WAITING)
            abort();
        d.handed[d.handed_len++] = strdup(line);
        send_message(to, id, strcmp(request, "1") == 0, rest);
    }
    free(fields);
}

/* The library forgets what it hasn't sent, so that has to wait again, before the rest. */
static void take_back(void)
{
    for (char *s; (s = xmpp_conn_send_queue_drop_element(d.conn, XMPP_QUEUE_OLDEST)) != NULL;)
        xmpp_free(d.ctx, s);
    if (d.waiting_len + d.handed_len > MAX_WAITING)
        abort();
    memmove(d.waiting + d.handed_len, d.waiting, d.waiting_len * sizeof *d.waiting);
    memcpy(d.waiting, d.handed, d.handed_len * sizeof *d.waiting);
    d.waiting_len += d.handed_len;
    d.handed_len = 0;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error, void *userdata)
{
    (void)userdata;
    if (event == XMPP_CONN_CONNECT) {
        xmpp_handler_add(conn, on_message, NULL, "message", NULL, NULL);
        xmpp_handler_add(conn, on_request, NULL, "iq", NULL, NULL);
        if (d.resumed) {
            tell("resumed");
            d.up = true;
        } else {
            d.greet = true;
        }
        return;
    }
    d.up = d.resumed = d.enabled = d.greet = false;
    take_back();
    if (d.been_up) {
        tell("offline");
        d.again = !d.ending;
        d.done = d.ending;
    } else {
        printf("failed\terror %d%s%s\n", error, stream_error != NULL ? ": " : "",
               stream_error != NULL && stream_error->text != NULL ? stream_error->text : "");
        fflush(stdout);
        d.done = true;
    }
}

/*
 * Becomes available. Version 0.12.2 doesn't count the stanzas that it sends before it has read <enabled/>, and after a resumption
 * drops as many of those that it should send again. So nothing is sent before.
 */
static void greet(void)
{
    if (!d.greet || (d.managed && !d.enabled))
        return;
    xmpp_stanza_t *presence = xmpp_presence_new(d.ctx);

    xmpp_send(d.conn, presence);
    xmpp_stanza_release(presence);
    printf("online\t%s\n", xmpp_conn_get_bound_jid(d.conn));
    fflush(stdout);
    d.greet = false;
    d.up = d.been_up = true;
}

/* Reads what there is and keeps it line by line. The end of the input is like quit. */
static void read_commands(void)
{
    static char buffer[MAX_COMMAND];
    static size_t used;
    ssize_t n = read(STDIN_FILENO, buffer + used, sizeof buffer - used);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
        d.done = true;
    }
    if (n <= 0)
        return;
    used += (size_t)n;
    for (char *end; (end = memchr(buffer, '\n', used)) != NULL;) {
        size_t len = (size_t)(end - buffer) + 1;
        *end = '\0';
        if (d.waiting_len < MAX_WAITING)
            d.waiting[d.waiting_len++] = strdup(buffer);
        memmove(buffer, buffer + len, used - len);
        used -= len;
    }
}

static void run_commands(void)
{
    while (d.up && !d.ending && d.waiting_len > 0) {
        command(d.waiting[0]);
        drop_first(d.waiting, &d.waiting_len);
    }
}

static int dial(void) { return xmpp_connect_client(d.conn, d.host, d.port, on_connection, NULL); }

/* driver HOST PORT JID PASSWORD CAFILE starttls|direct sm|nosm */
int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: %s HOST PORT JID PASSWORD CAFILE starttls|direct sm|nosm\n", argv[0]);
        return 2;
    }
    xmpp_log_t log = {log_line, NULL};
    long flags = XMPP_CONN_FLAG_MANDATORY_TLS;

    if (strcmp(argv[6], "direct") == 0)
        flags = XMPP_CONN_FLAG_LEGACY_SSL;
    d.managed = strcmp(argv[7], "sm") == 0;
    if (!d.managed)
        flags |= XMPP_CONN_FLAG_DISABLE_SM;
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    xmpp_initialize();
    d.ctx = xmpp_ctx_new(NULL, &log);
    d.conn = xmpp_conn_new(d.ctx);
    d.host = argv[1];
    d.port = (unsigned short)atoi(argv[2]);
    xmpp_conn_set_flags(d.conn, flags);
    xmpp_conn_set_jid(d.conn, argv[3]);
    xmpp_conn_set_pass(d.conn, argv[4]);
    xmpp_conn_set_cafile(d.conn, argv[5]);
    if (dial() != XMPP_EOK) {
        tell("failed\tno connection");
        return 1;
    }
    while (!d.done) {
        xmpp_run_once(d.ctx, LOOP_MS);
        if (d.again && dial() == XMPP_EOK)
            d.again = false;
        greet();
        read_commands();
        run_commands();
    }
    xmpp_conn_release(d.conn);
    xmpp_ctx_free(d.ctx);
    xmpp_shutdown();
    return 0;
}
