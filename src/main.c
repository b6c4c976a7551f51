/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- hands the command line to the command it names. */
#include "cli/cli.h"

int main(int argc, char **argv) {
    return cli_main(argc, argv);
}
