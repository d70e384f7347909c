<?php
// SPDX-License-Identifier: GPL-3.0-or-later
/** @var callable $e */
/** @var string $command */
?>
<div class="container-fluid" id="callsieve">
	<h1>CallSieve</h1>
	<div class="alert alert-warning" id="callsieve-state"><strong><?php echo $e(_('One step is left: install the program itself. No call is screened yet.')) ?></strong></div>
	<p><?php echo $e(_('Copy the CallSieve package for Debian 12 to this server. Then run as root, in the folder of the package:')) ?></p>
	<pre id="callsieve-command" style="white-space: pre-wrap"><?php echo $e($command) ?></pre>
	<p><?php echo $e(_('The command shows every change, asks before it writes, and ends with "screened: yes". This page then continues by itself.')) ?></p>
	<script>setTimeout(function () { location.reload(); }, 5000);</script>
</div>
