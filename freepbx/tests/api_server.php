<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// A stand-in for CallSieve's API. Arguments: the socket; a file of answers, "METHOD /path" => [status, data]; a file that
// gets each request as a line of JSON.

[, $socket, $answers, $log] = $argv;
$server = stream_socket_server("unix://$socket.new"); // the name appears once it listens
rename("$socket.new", $socket);
while ($connection = @stream_socket_accept($server, 60)) {
	[$method, $address] = explode(' ', fgets($connection)) + ['', ''];
	$length = 0;
	$person = '';
	while (($line = trim(fgets($connection))) !== '') {
		[$name, $value] = explode(': ', $line, 2) + ['', ''];
		$length = strcasecmp($name, 'Content-Length') === 0 ? (int) $value : $length;
		$person = strcasecmp($name, 'CallSieve-Person') === 0 ? $value : $person;
	}
	$body = $length ? stream_get_contents($connection, $length) : '';
	$path = substr(explode('?', $address)[0], strlen('/api/v1'));
	file_put_contents($log, json_encode(["$method $path", json_decode($body, true), $person, substr($address, strlen('/api/v1'))]) . "\n", FILE_APPEND);
	[$status, $data] = json_decode(file_get_contents($answers), true)["$method $path"] ?? [404, ['detail' => "no $path", 'code' => 'nothing']];
	$text = is_string($data) ? $data : json_encode($data);
	fwrite($connection, "HTTP/1.1 $status X\r\nContent-Length: " . strlen($text) . "\r\n\r\n$text");
	fclose($connection);
}
