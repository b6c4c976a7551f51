/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- reads the command line, builds the parts, joins them. */
#include <stdio.h>

int main(void) {
    puts("takt " TAKT_VERSION);
    return 0;
}
