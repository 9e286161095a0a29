/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/signals.h"

#include <signal.h>

#include "base/mem.h"

void lz_signals_ignore(void)
{
	static const int strays[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2,   SIGALRM,
				      SIGVTALRM, SIGPROF, SIGIO,   SIGPWR };

	for (size_t i = 0; i < LZ_ARRAY_SIZE(strays); i++)
		signal(strays[i], SIG_IGN);
}
