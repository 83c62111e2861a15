/*
 * Servers on libuv:
 *
 *     libuv_peer echo|constant|lines|close|fanout|patient [ADDRESS PORT]
 *
 * As libuv's users write them who care what it costs: one buffer to read into for the whole loop,
 * uv_try_write first, and only what the kernel does not take is copied and queued.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Whoever says nothing for so long has to go, where a server is patient only for a while. */
#define PATIENCE 60000

static const char CONSTANT[64] =
    "sixty-four bytes that a server says whatever it has been asked..";

typedef struct connection {
    uv_tcp_t socket;
    uv_timer_t silence;
    /* Of socket and timer, those that are not closed yet. */
    int handles;
    int closing;
    /* The beginning of a line whose end has not come. */
    char *line;
    size_t line_length;
    /* Members of the room. */
    struct connection *next;
    struct connection **place;
} connection;

typedef struct {
    uv_write_t request;
    char bytes[];
} waiting;

static uv_loop_t *loop;
static connection *room;
static void (*answer)(connection *, const char *, size_t);
static int is_patient;
static char input[64 * 1024];

static void closed(uv_handle_t *handle) {
    connection *it = handle->data;
    if (--it->handles > 0)
        return;
    if (it->place) {
        *it->place = it->next;
        if (it->next)
            it->next->place = it->place;
    }
    free(it->line);
    free(it);
}

static void end(connection *it) {
    if (it->closing)
        return;
    it->closing = 1;
    uv_close((uv_handle_t *)&it->socket, closed);
    if (is_patient)
        uv_close((uv_handle_t *)&it->silence, closed);
}

static void has_been_silent(uv_timer_t *timer) {
    end(timer->data);
}

static void written(uv_write_t *request, int status) {
    connection *it = request->handle->data;
    free(request->data);
    if (status < 0)
        end(it);
}

static void say(connection *it, const char *bytes, size_t length) {
    uv_buf_t piece = uv_buf_init((char *)bytes, length);
    int taken = 0;
    if (it->closing)
        return;
    taken = uv_try_write((uv_stream_t *)&it->socket, &piece, 1);
    if (taken == UV_EAGAIN)
        taken = 0;
    if (taken < 0) {
        end(it);
        return;
    }
    if ((size_t)taken == length)
        return;
    waiting *rest = malloc(sizeof *rest + length - taken);
    if (!rest) {
        end(it);
        return;
    }
    memcpy(rest->bytes, bytes + taken, length - taken);
    rest->request.data = rest;
    piece = uv_buf_init(rest->bytes, length - taken);
    if (uv_write(&rest->request, (uv_stream_t *)&it->socket, &piece, 1, written) < 0) {
        free(rest);
        end(it);
    }
}

static void echo(connection *it, const char *bytes, size_t length) {
    say(it, bytes, length);
}

static void constant(connection *it, const char *bytes, size_t length) {
    (void)bytes, (void)length;
    say(it, CONSTANT, sizeof CONSTANT);
}

static void close_after(connection *it, const char *bytes, size_t length) {
    say(it, bytes, length);
    end(it);
}

/* Hands every whole line, its end included, to `each`, and keeps what is left. */
static void cut(connection *it, const char *bytes, size_t length,
                void (*each)(connection *, const char *, size_t)) {
    const char *newline;
    while ((newline = memchr(bytes, '\n', length))) {
        size_t piece = newline + 1 - bytes;
        if (it->line_length == 0) {
            each(it, bytes, piece);
        } else {
            char *line = realloc(it->line, it->line_length + piece);
            if (!line) {
                end(it);
                return;
            }
            memcpy(line + it->line_length, bytes, piece);
            it->line = NULL;
            each(it, line, it->line_length + piece);
            it->line_length = 0;
            free(line);
        }
        bytes += piece;
        length -= piece;
    }
    if (length > 0) {
        char *line = realloc(it->line, it->line_length + length);
        if (!line) {
            end(it);
            return;
        }
        memcpy(line + it->line_length, bytes, length);
        it->line = line;
        it->line_length += length;
    }
}

static void lines(connection *it, const char *bytes, size_t length) {
    cut(it, bytes, length, say);
}

static void tell_all(connection *speaker, const char *line, size_t length) {
    (void)speaker;
    for (connection *member = room; member; member = member->next)
        say(member, line, length);
}

static void fanout(connection *it, const char *bytes, size_t length) {
    cut(it, bytes, length, tell_all);
}

static void room_to_read(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(input, sizeof input);
}

static void came(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    connection *it = stream->data;
    if (length < 0) {
        end(it);
    } else if (length > 0) {
        if (is_patient)
            uv_timer_again(&it->silence);
        answer(it, buffer->base, length);
    }
}

static void connected(uv_stream_t *listener, int status) {
    connection *it;
    if (status < 0 || !(it = calloc(1, sizeof *it)))
        return;
    uv_tcp_init(loop, &it->socket);
    it->socket.data = it;
    it->handles = 1;
    if (is_patient) {
        uv_timer_init(loop, &it->silence);
        it->silence.data = it;
        it->handles = 2;
        uv_timer_start(&it->silence, has_been_silent, PATIENCE, PATIENCE);
    }
    if (answer == fanout) {
        it->place = &room;
        it->next = room;
        if (room)
            room->place = &it->next;
        room = it;
    }
    if (uv_accept(listener, (uv_stream_t *)&it->socket) < 0) {
        end(it);
        return;
    }
    uv_tcp_nodelay(&it->socket, 1);
    if (uv_read_start((uv_stream_t *)&it->socket, room_to_read, came) < 0)
        end(it);
}

static void told_to_end(uv_signal_t *term, int number) {
    (void)number;
    uv_stop(term->loop);
}

int main(int count, char **words) {
    const char *subject = count > 1 ? words[1] : "";
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_t listener;
    uv_signal_t term;

    if (!strcmp(subject, "echo"))
        answer = echo;
    else if (!strcmp(subject, "constant"))
        answer = constant;
    else if (!strcmp(subject, "close"))
        answer = close_after;
    else if (!strcmp(subject, "lines"))
        answer = lines;
    else if (!strcmp(subject, "fanout"))
        answer = fanout;
    else if (!strcmp(subject, "patient"))
        answer = echo, is_patient = 1;
    if (!answer) {
        fprintf(stderr, "usage: echo|constant|lines|close|fanout|patient [ADDRESS PORT]\n");
        return 2;
    }
    /* Whoever is gone is told by the write that failed. */
    signal(SIGPIPE, SIG_IGN);
    loop = uv_default_loop();
    uv_signal_init(loop, &term);
    uv_signal_start(&term, told_to_end, SIGTERM);
    uv_tcp_init(loop, &listener);
    if (uv_ip4_addr(count > 3 ? words[2] : "127.0.0.1", count > 3 ? atoi(words[3]) : 0, &address) ||
        uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) ||
        uv_listen((uv_stream_t *)&listener, 1024, connected) ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length)) {
        fprintf(stderr, "cannot listen\n");
        return 1;
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
