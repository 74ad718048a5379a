/* SPDX-License-Identifier: Apache-2.0 */
/* Opening listening sockets (TCP with SO_REUSEPORT, Unix) and taking connections from them, all non-blocking. */
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include <stdint.h>
#include "base/error.h"

#define OS_SOCKET_ADDRESS_SIZE 64

/* Listens on "HOST:PORT", "[v6]:PORT" (port 0 picks a free one). *ret_port is the port in use. */
enum error_code os_socket_listen_tcp(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port,
                                     struct error *error);
/* ERROR_CONFLICT when somebody listens there. To be asked before the first os_socket_listen_tcp of a process: that one
 * shares ports, also with another process of the same user, which would then get every other connection. */
enum error_code os_socket_check_free(const char *host, uint16_t port, struct error *error);
/* Listens on a Unix socket, mode 0600, replacing a stale file. Paths over 107 bytes are ERROR_INVALID. */
enum error_code os_socket_listen_unix(const char *path, int *ret_fd, struct error *error);
/* -1 when there is none to take now. `address` gets the peer's numeric address ("" for Unix sockets). */
int os_socket_accept(int listen_fd, char address[OS_SOCKET_ADDRESS_SIZE]);
/* Splits "HOST:PORT" or "[v6]:PORT". */
enum error_code os_socket_parse_address(const char *text, char host[256], uint16_t *ret_port, struct error *error);

#endif
