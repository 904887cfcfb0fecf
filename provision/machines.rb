# What the machines of a lab were made with, against what is wanted of them: as Lab.machine
# describes one, and .lab/machines.json keeps it.
module Machines
  # What can't be changed while a machine lives, and what it is called.
  FIXED = { 'memory' => 'memory', 'image' => 'image', 'box' => 'box', 'volumes' => 'builder',
            'address' => 'address' }.freeze

  # What a virtual machine takes anew when it starts.
  SIZE = { 'memory' => 'MiB of memory', 'cpus' => 'cores' }.freeze

  module_function

  # What a container was made with, of `docker inspect`.
  def made(inspected)
    host, networks = inspected['HostConfig'], inspected['NetworkSettings']['Networks'].values
    { 'name' => inspected['Name'].delete_prefix('/'), 'address' => networks.first&.dig('IPAMConfig', 'IPv4Address'),
      'memory' => host['Memory'] / 2**20, 'image' => inspected['Config']['Image'],
      # The login key's is no volume, but a file of the folder.
      'volumes' => (host['Binds'] || []).reject { |bind| bind.start_with?('/') } }
  end

  # Why `vagrant up` may not go on; nil if it may. Names one node at a time, and none while another
  # is away: its data come from the others. Both: node -> description.
  def refusal(made, wanted)
    return unless wanted.keys.all? { |node| made.key?(node) }

    node = wanted.keys.find { |name| differing(made[name], wanted[name]).any? } or return resized(made, wanted)
    "#{node} was made with another #{differing(made[node], wanted[node]).join(' and ')} than is wanted now: " \
      "`vagrant destroy -f #{node}`, then `make up`; what it holds of the databases comes back from the other nodes. " \
      'One node at a time'
  end

  def differing(made, wanted)
    fixed = virtual?(wanted) ? FIXED.except(*SIZE.keys) : FIXED
    fixed.filter_map { |key, word| word if made[key] != wanted[key] }
  end

  def virtual?(machine) = machine.key?('cpus')

  # Why a virtual machine of another size than is wanted is not left as it is.
  def resized(made, wanted)
    node, size = wanted.each_key.lazy.map { |name| [name, size(made[name], wanted[name])] }.find { |_, found| found.any? }
    node && "#{node} runs with #{size.map(&:first).join(' and ')}, and lab.yml says #{size.map(&:last).join(' and ')}: " \
            "`vagrant reload #{node}`, then `make up`. One node at a time"
  end

  # What differs: pairs of what is and what is wanted.
  def size(made, wanted)
    return [] unless virtual?(wanted)

    SIZE.filter_map { |key, unit| [made, wanted].map { |one| "#{one[key]} #{unit}" } if made[key] != wanted[key] }
  end

  # Vagrant can't reach a machine that lab.yml no longer names, and it would go on running.
  def removed(known, nodes)
    node = (known - nodes).min or return
    "lab.yml: nodes: #{node} is booted and not named any more: put it back, take it out of mysql, cassandra, balancers " \
      "and web, run `make up` (it hands its data over), `vagrant destroy -f #{node}`, and only then take it out of nodes"
  end

  # What .lab/machines.json holds. from: what of lab.yml and of the node image the wanted ones come
  # of; told only if all machines are as it wants them.
  def description(name, provider, from, made, wanted)
    machines = wanted.to_h { |node, machine| [node, made.fetch(node, machine)] }
    as_wanted = machines.none? { |node, machine| (differing(machine, wanted[node]) + size(machine, wanted[node])).any? }
    { 'name' => name, 'provider' => provider, 'made_from' => as_wanted ? from : nil, 'machines' => machines }
  end
end
